/** One line about each command. They are here because the help of `gradient-images` itself loads no command. */
export const descriptions = {
  generate: "Generates images from a prompt, shows them and writes them into files.",
  batch: "Runs a file of requests to its end, each paid for once, on one machine or on many.",
  generations: "Shows and settles durable generations: what was paid for, and what is in doubt.",
  models: "Lists the models of the service, of all kinds: not each of them makes images.",
  emulator: "Serves the images endpoint with painted images: no cost, the same wire.",
  gateway: "Serves the images endpoint to callers of your own, who need no key of the service.",
  mcp: "Serves image generation to an agent: an MCP server on standard input and output."
} as const
