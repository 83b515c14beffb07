/**
 * Whether a folder is on a network disk, by the number that the kernel has for its file system.
 */
import * as Effect from "effect/Effect"
import { statfs } from "node:fs/promises"

/** From statfs(2) and the kernel's magic.h. Other systems than Linux use other numbers, so there none matches. */
const names = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x01021997, "9P"],
  [0x5346414f, "AFS"],
  [0x6b414653, "AFS"],
  [0x00c36400, "Ceph"],
  [0x7461636f, "OCFS2"],
  [0x01161970, "GFS2"],
  [0x0bd00bd0, "Lustre"],
  [0x73757245, "Coda"]
])

/** The name of the network file system that the folder is on; `undefined` if it is on none, or if that is unknown. */
export const networkFileSystem = (folder: string): Effect.Effect<string | undefined> =>
  Effect.promise(() =>
    statfs(folder).then(
      // Negative on systems with 32-bit numbers.
      ({ type }) => names.get(type >>> 0),
      () => undefined
    )
  )
