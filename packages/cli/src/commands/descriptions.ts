/**
 * One line about each command. The lines are in a file of their own, because the help of `gradient-images` loads no
 * command.
 */
export const descriptions = {
  generate: "Generates images from a prompt, writes them into files, and shows them on a terminal.",
  batch: "Sends the requests in a file, on one machine or many, and pays for each at most once unless you allow more.",
  generations:
    "Lists durable generations, and decides what happens to those in doubt, which may have been charged for.",
  models: "Lists all models of the service, including those that do not make images.",
  emulator:
    "Serves an emulated images endpoint: it draws the images itself, at no cost, and replies in the service's format.",
  gateway: "Serves the images endpoint to your own callers, who do not need the service's key.",
  mcp: "Serves image generation to an agent: an MCP server on standard input and output."
} as const
