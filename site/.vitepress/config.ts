import { globSync } from "node:fs"
import { join } from "node:path"
import { defineConfig } from "vitepress"
import llmstxt from "vitepress-plugin-llms"

const pages = join(import.meta.dirname, "../pages")

const item = (text: string, page: string) => ({ text, link: `/${page}` })

/** The guides and the playground, in the order of the sidebar and of llms.txt. */
const guides = [
  {
    text: "Begin",
    items: [
      item("Getting started", "getting-started"),
      item("Playground", "playground"),
      item("Streaming", "streaming"),
      item("Failures and the bill", "failures"),
      item("Retries and timeouts", "retries-and-timeouts"),
      item("Options", "options"),
      item("Testing", "testing"),
      item("Without Effect", "without-effect"),
      item("Recipes", "recipes")
    ]
  },
  {
    text: "In earnest",
    items: [
      item("In a page: the gateway", "in-a-page"),
      item("Durable generations", "durable"),
      item("Batches", "batches"),
      item("In operation", "operation"),
      item("Agents", "agents"),
      item("Where it runs", "runtimes"),
      item("How it works inside", "inside")
    ]
  },
  {
    text: "Coming from",
    items: [
      item("openai, @digitalocean/gradient", "coming-from-openai"),
      item("The ai SDK", "coming-from-ai"),
      item("Effect 3", "effect-3")
    ]
  }
]

/** The reference: the modules of each package except `cli`. */
const reference = ["core", "node", "browser", "gateway", "durable", "emulator"].map((name) => ({
  text: `@effect-gradient/${name}`,
  link: `/reference/${name}/`,
  collapsed: true,
  items: globSync("**/*.md", { cwd: join(pages, "reference", name) })
    .filter((path) => !path.endsWith("index.md"))
    .toSorted()
    .map((path) => item(path.replace(/^.*\/|\.md$/g, ""), `reference/${name}/${path.replace(/\.md$/, "")}`))
}))

export default defineConfig({
  title: "effect-gradient",
  description: "Image generation with DigitalOcean Inference, as Effects and Streams, for Effect 4",
  lang: "en",
  srcDir: "pages",
  outDir: "dist",
  cleanUrls: true,
  markdown: { theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" } },
  // Makes llms.txt, llms-full.txt and a Markdown file beside each page.
  vite: { plugins: [llmstxt()] },
  // Pages with two programs side by side have no outline, because the programs need the room of the outline.
  transformPageData: ({ frontmatter, relativePath }) =>
    relativePath.startsWith("coming-from-") ? { frontmatter: { ...frontmatter, aside: false, pageClass: "wide" } } : {},
  // VitePress does not give the content of the home page the role `main`, which screen readers need.
  transformHtml: (html) => html.replace(/<div class="VPContent is-home"/, '<div role="main" class="VPContent is-home"'),
  themeConfig: {
    nav: [item("Guide", "getting-started"), item("Playground", "playground"), item("Reference", "reference/core/")],
    // llms.txt lists the pages in the order of the sidebar.
    sidebar: { "/": guides, "/reference/": reference },
    search: { provider: "local" },
    outline: [2, 3],
    socialLinks: [{ icon: "github", link: "https://github.com/effect-gradient/effect-gradient" }]
  }
})
