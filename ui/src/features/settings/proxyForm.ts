import type { MachineNetwork, ProxyChoice } from "$lib/api";

/** What the fields of a proxy set by hand say. */
export type ProxyFields = { http: string; https: string; except: string };
export type ProxyErrors = Partial<Record<"http" | "https", string>>;

const SCHEMES = ["http:", "https:", "socks5:", "socks5h:"];

export function fieldsOf(choice: ProxyChoice): ProxyFields {
  if (choice.type !== "manual") return { http: "", https: "", except: "" };
  return { http: choice.http ?? "", https: choice.https ?? "", except: choice.except };
}

/** The choice that the fields make, or what is wrong with each. */
export function manualChoice(fields: ProxyFields): { choice: ProxyChoice | null; errors: ProxyErrors } {
  const errors: ProxyErrors = {};
  const [http, https] = [fields.http.trim(), fields.https.trim()];
  if (http && !isAddress(http)) errors.http = WRONG;
  if (https && !isAddress(https)) errors.https = WRONG;
  if (!http && !https) errors.http = "Where the proxy is, as in proxy.example:3128.";
  if (Object.keys(errors).length > 0) return { choice: null, errors };
  const choice: ProxyChoice = {
    type: "manual",
    http: http || null,
    https: https || null,
    except: fields.except.trim(),
  };
  return { choice, errors };
}

const WRONG = "A name and a port, as in http://proxy.example:3128.";

function isAddress(text: string): boolean {
  try {
    const url = new URL(text.includes("://") ? text : `http://${text}`);
    return SCHEMES.includes(url.protocol) && url.host !== "" && ["", "/"].includes(url.pathname);
  } catch {
    return false;
  }
}

/** What the engine uses, or will use once it is started again, in one sentence. */
export function proxyNow(network: MachineNetwork): string {
  const { source, http, https } = network.proxy;
  const when = network.engineOutdated ? "From its next start" : "Now";
  if (http === null && https === null) return `${when}: no proxy.`;
  const each = [http && `${http} for http`, https && `${https} for https`].filter(Boolean);
  const which = http === https ? http : each.join(", ");
  switch (source) {
    case "environment":
      return `${when}: ${which}, as HTTP_PROXY says.`;
    case "desktop":
      return `${when}: ${which}, as this computer's settings say.`;
    case "manual":
    case "nobody":
      return `${when}: ${which}.`;
  }
}

export function trustNow(network: MachineNetwork): string {
  if (network.authorities === 0) return "This computer names none, so the engine uses the list that came with it.";
  return `The engine trusts the ${network.authorities} certificate authorities of this computer.`;
}
