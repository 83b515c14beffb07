/**
 * Detects whether a folder is on a network file system. It works on Linux only, where a file lists the mounts with
 * their types.
 */
import * as Effect from "effect/Effect"
import { readFile, realpath } from "node:fs/promises"

/** Types of network file systems. On these, SQLite's locks may not work between machines. */
const networkTypes =
  /^(?:nfs\d?|cifs|smb\d?|smbfs|9p|afs|ceph|coda|davfs|gfs2|glusterfs|lustre|ocfs2|fuse\.(?:sshfs|s3fs|rclone|glusterfs|gcsfuse|ceph|goofys|mount-s3))$/

/** Decodes a mount point, in which spaces and some other characters are written as octal numbers. */
const unescaped = (path: string) =>
  path.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))

const isWithin = (path: string, mount: string) => mount === "/" || path === mount || path.startsWith(`${mount}/`)

/**
 * Finds the type of the file system that contains a path, in the text of `/proc/self/mountinfo`: the type of the mount
 * with the longest mount point that contains the path. Of several mounts at the same point, the last one counts.
 */
export const typeIn = (mountinfo: string, path: string): string | undefined => {
  let found: { readonly mount: string; readonly type: string | undefined } | undefined
  for (const line of mountinfo.split("\n")) {
    const [fields = "", details = ""] = line.split(" - ")
    const mount = unescaped(fields.split(" ")[4] ?? "")
    if (mount === "" || !isWithin(path, mount) || (found !== undefined && mount.length < found.mount.length)) continue
    found = { mount, type: details.split(" ")[0] }
  }
  return found?.type
}

/**
 * The type of the network file system that the folder is on. `undefined` if it is not on one, or if this is unknown.
 */
export const networkFileSystem = (folder: string): Effect.Effect<string | undefined> =>
  Effect.promise(async () => {
    const [mountinfo, path] = await Promise.all([
      readFile("/proc/self/mountinfo", "utf8").catch(() => ""),
      realpath(folder).catch(() => folder)
    ])
    const type = typeIn(mountinfo, path)
    return type !== undefined && networkTypes.test(type) ? type : undefined
  })
