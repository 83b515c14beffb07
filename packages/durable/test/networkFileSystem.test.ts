import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { tmpdir } from "node:os"
import { networkFileSystem, typeIn } from "../src/node/internal/networkFileSystem.ts"

const mountinfo = `22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
40 27 0:50 / /srv rw,relatime shared:1 - nfs4 server:/srv rw
41 40 0:51 / /srv/local rw - xfs /dev/vdb rw
42 27 0:52 / /home/an\\040otter/remote rw - fuse.sshfs otter@host: rw
43 27 0:53 / /data rw - ext4 /dev/vdc rw
44 43 0:54 / /data rw - cifs //host/share rw
`

describe("the type of the file system of a path", () => {
  it.each([
    ["/tmp/journal", "ext4"],
    ["/srv", "nfs4"],
    ["/srv/deep/er", "nfs4"],
    ["/srvother", "ext4"],
    ["/srv/local/journal", "xfs"],
    ["/home/an otter/remote", "fuse.sshfs"],
    ["/data/x", "cifs"]
  ])("of %s is that of the mount that is on top", (path, type) => {
    expect(typeIn(mountinfo, path)).toBe(type)
  })

  it("is unknown without a list of mounts", () => {
    expect(typeIn("", "/tmp")).toBeUndefined()
  })

  it.live("is not a network disk for the temporary folder", () =>
    Effect.gen(function* () {
      expect(yield* networkFileSystem(tmpdir())).toBeUndefined()
    })
  )
})
