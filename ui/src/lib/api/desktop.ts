/** The UI in the window. The one file that knows Tauri. */
import { Channel, invoke, isTauri } from "@tauri-apps/api/core";
import { getCurrentWindow } from "@tauri-apps/api/window";
import { openUrl } from "@tauri-apps/plugin-opener";

import { copyText } from "./clipboard";
import { isProblem, problemOf, ProblemError } from "./problem";
import type { Message } from "./stream";
import type { Host, Transport, WindowFrame } from "./transport";

declare global {
  interface Window {
    /** Written by the window before any script of the page runs. */
    __WHERRY__?: { frame: WindowFrame };
  }
}

export function inDesktop(): boolean {
  return isTauri();
}

export function desktopTransport(): Transport {
  return {
    async call(name, params) {
      return await asProblem(invoke("call", { name, params }));
    },

    open<T>(name: string, params: unknown, receive: (message: Message<T>) => void) {
      const channel = new Channel<Message<T>>(receive);
      const opened = asProblem(invoke("open", { name, params, channel })).catch((error: unknown) =>
        receive({ problem: problemOf(error) }),
      );
      // Calls may overtake one another, and what is typed must not: one at a time, with all that waits.
      const waiting: unknown[] = [];
      let saying = false;
      const sayAll = async () => {
        saying = true;
        await opened;
        while (waiting.length > 0) {
          await invoke("say", { stream: channel.id, inputs: waiting.splice(0) }).catch(() => {});
        }
        saying = false;
      };
      return {
        say(input) {
          waiting.push(input);
          if (!saying) void sayAll();
        },
        more: () => void invoke("more", { stream: channel.id }),
        close: () => void invoke("close", { stream: channel.id }),
      };
    },
  };
}

export function desktopHost(): Host {
  const window = getCurrentWindow();
  return {
    kind: "desktop",
    frame: globalThis.window.__WHERRY__?.frame ?? "none",
    openUrl,
    copyText,
    choose: (choice) => asProblem(invoke<string | null>("choose", { wanted: choice })),
    minimize: () => window.minimize(),
    toggleMaximize: () => window.toggleMaximize(),
    close: () => window.close(),
    startDragging: () => window.startDragging(),
    holdClose(ask) {
      // A window that is listened to waits for the page: only while there is something to ask.
      const listening = window.onCloseRequested((event) => {
        event.preventDefault();
        // It may be closed from the tray or the task bar, where nobody sees what it asks.
        void window.unminimize().then(() => window.setFocus());
        ask(() => void window.destroy());
      });
      return () => void listening.then((end) => end());
    },
  };
}

/** What Tauri itself refuses is a bare string. */
async function asProblem<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw isProblem(error) ? new ProblemError(error) : error;
  }
}
