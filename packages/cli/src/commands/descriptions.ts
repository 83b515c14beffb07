/**
 * One line about each command. They have a file of their own, because the help of `gradient-images` itself loads no
 * command.
 */
export const descriptions = {
  generate: "Generates images from a prompt, shows them and writes them into files.",
  batch: "Runs a file of requests to its end, each paid for once, on one machine or on many.",
  generations: "Shows and settles durable generations: what was paid for, and what is in doubt.",
  models: "Lists all models of the service, including those that do not make images.",
  emulator: "Serves the images endpoint with painted images, at no cost and in the same wire format.",
  gateway: "Serves the images endpoint to your own callers, who do not need the service's key.",
  mcp: "Serves image generation to an agent: an MCP server on standard input and output."
} as const
