/** What carries calls: the window's IPC, or HTTP and WebSocket when the UI runs in a browser. Chosen once. */
import { browserHost, browserTransport } from "./browser";
import { desktopHost, desktopTransport, inDesktop } from "./desktop";
import type { Message, Source } from "./stream";

export interface Transport {
  /** Rejects with a `ProblemError`. */
  call(name: string, params: unknown): Promise<unknown>;
  open<T>(name: string, params: unknown, receive: (message: Message<T>) => void): Source;
}

/**
 * Who draws the window's buttons: `drawn`, the toolbar does (minimize, maximize, close on the right); `overlay`, the
 * system lays its own over the toolbar's left end (macOS); `none`, there is nothing to draw.
 */
export type WindowFrame = "drawn" | "overlay" | "none";

/** What the person is to choose with the system's dialog. `path`: what the field holds now, it opens there. */
export type Choice = { what: "folder" | "file" | "newFile"; title: string; path: string };

export interface Host {
  readonly kind: "desktop" | "browser";
  readonly frame: WindowFrame;
  /** In the person's browser. Web addresses only. */
  openUrl(url: string): Promise<void>;
  copyText(text: string): Promise<void>;
  /**
   * The system's own dialog for a file or folder of this computer: a whole path, or `null` when nothing was chosen.
   * A browser has none.
   */
  readonly choose: ((choice: Choice) => Promise<string | null>) | null;
  /** The window's controls do nothing in a browser. */
  minimize(): Promise<void>;
  toggleMaximize(): Promise<void>;
  close(): Promise<void>;
  startDragging(): Promise<void>;
  /**
   * Whoever closes the window is asked first, by the page where it can ask: it is given what closes it all the same.
   * A browser asks in its own words. The result ends it.
   */
  holdClose(ask: (leave: () => void) => void): () => void;
}

export const transport: Transport = inDesktop() ? desktopTransport() : browserTransport();
export const host: Host = inDesktop() ? desktopHost() : browserHost();
