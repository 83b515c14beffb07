/**
 * Checks the links of the built site, without a browser: links to its own pages, with their anchors; links to files of
 * the repository; and the links of llms.txt, which must list every guide. It does not follow links to other sites.
 */
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"

/** The URL of the repository's files, with which the links to them begin. */
export const repository = "https://github.com/effect-gradient/effect-gradient/blob/main"

const root = join(import.meta.dirname, "..")
const dist = join(import.meta.dirname, "dist")

const read = (path: string) => readFileSync(join(dist, path), "utf8")

const hasId = (page: string, id: string) => read(page).includes(`id="${id}"`)

/** The file of the built site at a path such as `streaming` or `reference/core/`, if there is one. */
const pageOf = (path: string): string | undefined =>
  [path, `${path}.html`, join(path, "index.html")].find((file) => /\.\w+$/.test(file) && existsSync(join(dist, file)))

const isBroken = (from: string, href: string): boolean => {
  if (href.startsWith(`${repository}/`)) {
    return !existsSync(join(root, href.slice(repository.length).replace(/#.*$/, "")))
  }
  if (/^[a-z]+:/.test(href)) return false
  const [path = "", id = ""] = href.split("#")
  const page = path === "" ? from : pageOf(path.startsWith("/") ? path.slice(1) || "index" : join(dirname(from), path))
  return page === undefined || (id !== "" && page.endsWith(".html") && !hasId(page, decodeURIComponent(id)))
}

const brokenLinks = (page: string) =>
  Array.from(read(page).matchAll(/<a [^>]*?href="([^"]+)"/g), ([, href = ""]) => href.replaceAll("&amp;", "&"))
    .filter((href) => isBroken(page, href))
    .map((href) => `${page}: the link ${href} leads nowhere`)

/** One line for each guide that llms.txt does not list, and for each of its links to a file that does not exist. */
const llmsFaults = (): ReadonlyArray<string> => {
  const targets = Array.from(read("llms.txt").matchAll(/\]\(\/([^)]+)\)/g), ([, target = ""]) => target)
  const guides = globSync("docs/*.md", { cwd: root }).map((path) => path.slice("docs/".length))
  return [
    ...guides.filter((guide) => !targets.includes(guide)).map((guide) => `llms.txt does not list ${guide}`),
    ...targets
      .filter((target) => !existsSync(join(dist, target)))
      .map((target) => `llms.txt has a link to ${target}, which does not exist`)
  ]
}

/** One line for each broken link of the site, and for each fault of llms.txt. */
export const linkFaults = (): ReadonlyArray<string> => [
  ...globSync("**/*.html", { cwd: dist }).flatMap(brokenLinks),
  ...llmsFaults()
]
