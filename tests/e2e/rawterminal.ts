// A shell in a container straight at the engine's socket: what a terminal costs without a page.

import { request, type ClientRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";

import type { Testbed } from "./testbed";

/** A shell asks where its cursor is after each prompt. */
const QUESTIONS = /\x1b\[[0-9;?]*[A-Za-z]/g;
const LONGEST = 200;

export class RawTerminal {
  #socket: Socket;
  /** The end of what it has printed. */
  #tail = "";
  #wanted: { pattern: RegExp; resolve: () => void } | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("utf8").on("data", (text: string) => {
      this.#tail = (this.#tail + text.slice(-LONGEST)).replace(QUESTIONS, "").slice(-LONGEST);
      if (this.#wanted?.pattern.test(this.#tail)) {
        this.#wanted.resolve();
        this.#wanted = null;
      }
    });
  }

  static async open(testbed: Testbed, container: string): Promise<RawTerminal> {
    const socketPath = testbed.docker.replace("unix://", "");
    const all = { AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: true, Cmd: ["/bin/sh"] };
    const id = await new Promise<string>((resolve, reject) => {
      const asked = post(socketPath, `/containers/${container}/exec`, {}, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (part: string) => (text += part));
        answer.on("end", () => resolve((JSON.parse(text) as { Id: string }).Id));
      });
      asked.once("error", reject);
      asked.end(JSON.stringify(all));
    });
    const socket = await new Promise<Socket>((resolve, reject) => {
      const asked = post(socketPath, `/exec/${id}/start`, { connection: "Upgrade", upgrade: "tcp" });
      asked.once("upgrade", (_answer, socket: Socket) => resolve(socket)).once("error", reject);
      asked.end(JSON.stringify({ Detach: false, Tty: true }));
    });
    return new RawTerminal(socket);
  }

  /** Milliseconds from these keys to an end of what it prints that is this. */
  async time(keys: string, pattern: RegExp): Promise<number> {
    this.#tail = "";
    const begun = performance.now();
    await new Promise<void>((resolve) => {
      this.#wanted = { pattern, resolve };
      this.#socket.write(keys);
    });
    return performance.now() - begun;
  }

  close(): void {
    this.#socket.destroy();
  }
}

function post(
  socketPath: string,
  path: string,
  headers: Record<string, string>,
  answered?: (answer: IncomingMessage) => void,
): ClientRequest {
  const all = { "content-type": "application/json", ...headers };
  return request({ socketPath, path, method: "POST", headers: all }, answered);
}
