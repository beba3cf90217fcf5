// The program under test, on a directory of its own and a free port; without any client, of which a process can load no more than one generation.
"use strict";

const { spawn } = require("node:child_process");
const { once } = require("node:events");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");

// Where certificates and the password of the administrator are, if the suite is to run with TLS and users.
const secured = process.env.GESTA_SECURED;
const credentials = secured
  ? { username: "admin", password: fs.readFileSync(path.join(secured, "password"), "utf8").trim() }
  : { username: "ada", password: "secret" };

/** Starts `gesta serve`; `stop` ends it, and answers with its exit code. */
async function launch() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "gesta-"));
  const command = ["serve", "--dir", directory, "--listen", "127.0.0.1:0", "-o", "ndjson"];
  if (secured) {
    const files = { "tls-cert": "node.crt", "tls-key": "node.key", "admin-password-file": "password" };
    command.push(...Object.entries(files).map(([setting, file]) => `--${setting}=${path.join(secured, file)}`));
  }
  const program = spawn(process.env.GESTA, command, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(readline.createInterface({ input: program.stdout }), "line");
  const ready = JSON.parse(line);
  const { username, password } = credentials;
  const url = secured
    ? `kurrentdb://${username}:${password}@${ready.address}?tls=true&tlsCAFile=${path.join(secured, "ca.crt")}`
    : ready.url;
  const stop = async () => {
    program.kill("SIGTERM");
    const [code] = await once(program, "exit");
    fs.rmSync(directory, { recursive: true });
    return code;
  };
  return { url, stop };
}

module.exports = { launch, credentials };
