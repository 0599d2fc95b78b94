/** The UI in a browser, for tests and development: `crates/serve` answers. */
import { copyText } from "./clipboard";
import type { Problem } from "./generated";
import { isProblem, ProblemError } from "./problem";
import type { Message } from "./stream";
import type { Host, Transport } from "./transport";

const TOKEN = "wherry-token";

export function browserTransport(): Transport {
  const token = takeToken();

  return {
    async call(name, params) {
      let response: Response;
      try {
        response = await fetch(`/api/call/${name}`, {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
          body: JSON.stringify(params),
        });
      } catch (error) {
        throw new ProblemError(away(error instanceof Error ? error.message : String(error)));
      }
      if (response.status === 401) throw new ProblemError(OLD_ADDRESS);
      const body: unknown = await response.json().catch(() => null);
      if (response.ok) return body;
      throw new ProblemError(isProblem(body) ? body : away(`HTTP ${response.status}`));
    },

    open(name, params, receive) {
      const address = new URL("/api/open", location.href);
      address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
      // A browser cannot set a header on a WebSocket; an offered protocol is the one place that is in no log.
      const socket = new WebSocket(address, ["wherry", token]);
      let ended = false;
      const early: unknown[] = [];
      socket.onopen = () => {
        socket.send(JSON.stringify({ name, params }));
        if (early.length > 0) socket.send(JSON.stringify(early));
      };
      socket.onmessage = (event: MessageEvent<string>) => {
        const message = JSON.parse(event.data) as Message<never>;
        ended = !Array.isArray(message);
        receive(message);
      };
      socket.onclose = () => {
        if (!ended) receive({ problem: away(null) });
      };
      return {
        more() {
          if (socket.readyState === WebSocket.OPEN) socket.send("more");
        },
        say(input) {
          if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify([input]));
          else if (socket.readyState === WebSocket.CONNECTING) early.push(input);
        },
        close() {
          ended = true;
          socket.close();
        },
      };
    },
  };
}

export function browserHost(): Host {
  const nothing = async () => {};
  return {
    kind: "browser",
    frame: "none",
    async openUrl(url) {
      window.open(url, "_blank", "noopener");
    },
    copyText,
    choose: null,
    minimize: nothing,
    toggleMaximize: nothing,
    close: nothing,
    startDragging: nothing,
    holdClose() {
      const ask = (event: Event) => event.preventDefault();
      window.addEventListener("beforeunload", ask);
      return () => window.removeEventListener("beforeunload", ask);
    },
  };
}

/** From the address that `serve` printed, out of which it is taken so that it is neither copied nor bookmarked. */
function takeToken(): string {
  const address = new URL(location.href);
  const token = address.searchParams.get("token");
  if (token === null) return sessionStorage.getItem(TOKEN) ?? "";
  sessionStorage.setItem(TOKEN, token);
  address.searchParams.delete("token");
  history.replaceState(history.state, "", address);
  return token;
}

const OLD_ADDRESS: Problem = {
  code: "other",
  message: "This address is from another start of the server",
  hint: "Open the address that was printed last.",
  why: null,
  causes: [],
  action: null,
};

function away(cause: string | null): Problem {
  return {
    code: "other",
    message: "The server does not answer",
    hint: "Start it again with cargo xtask serve.",
    why: null,
    causes: cause === null ? [] : [cause],
    action: null,
  };
}
