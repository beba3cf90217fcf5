// The program under test, on a directory of its own and a free port; without any client, of which a process can load no more than one generation.
"use strict";

const { spawn } = require("node:child_process");
const { once } = require("node:events");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");

/** Starts `gesta serve`; `stop` ends it, and answers with its exit code. */
async function launch() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "gesta-"));
  const command = ["serve", "--dir", directory, "--listen", "127.0.0.1:0", "-o", "ndjson"];
  const program = spawn(process.env.GESTA, command, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(readline.createInterface({ input: program.stdout }), "line");
  const { url } = JSON.parse(line);
  const stop = async () => {
    program.kill("SIGTERM");
    const [code] = await once(program, "exit");
    fs.rmSync(directory, { recursive: true });
    return code;
  };
  return { url, stop };
}

module.exports = { launch };
