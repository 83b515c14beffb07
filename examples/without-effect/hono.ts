import { Hono } from "hono"
import { pictures } from "./web.ts"

export const app = new Hono().post("/pictures", (context) => pictures(context.req.raw))
