// Fits the judge of the Model Context Protocol to us. Use: node --import ./fit_judge.mjs PROGRAM
// - Node.js 20 has no `fs.globSync`, which only another of its commands needs.
// - Its servers call themselves `localhost`; for sign-ins, plain http goes to 127.0.0.1 and [::1] alone (RFC 8252, 8.3).
import { register } from "node:module";

const hook = `
  import * as fs from "node:fs";
  export async function load(url, context, next) {
    const loaded = await next(url, context);
    if (!url.endsWith("/@modelcontextprotocol/conformance/dist/index.js")) return loaded;
    let source = loaded.source.toString().replaceAll("http://localhost:$", "http://127.0.0.1:$");
    if (!("globSync" in fs)) source = source.replace(/globSync as (\\w+),/, "");
    return { ...loaded, source };
  }`;
register("data:text/javascript," + encodeURIComponent(hook));
