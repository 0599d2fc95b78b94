// Which values are not for every eye. The same rules as in crates/engine/src/secret.rs, which keeps them out of commands.

const NAMES =
  /(pass(word|wd|phrase)?|pwd|secret|token|api[_.-]?key|access[_.-]?key|private[_.-]?key|credentials?|auth|encryption[_.-]?key|signing[_.-]?key)s?([_.-]|$)/i;
const LOGIN = /^([a-z][a-z0-9+.-]*:\/\/[^/?#\s]*:)([^/?#\s]+)(@)/i;
const DOTS = "••••••••";

export function isSecret(name: string, value: string): boolean {
  return value !== "" && ((NAMES.test(name.trim()) && !value.startsWith("/")) || LOGIN.test(value));
}

/** The value as it may stand on a screen: dots for a secret, and for the password in an address. */
export function secretShown(name: string, value: string): string {
  if (!isSecret(name, value)) return value;
  return LOGIN.test(value) ? value.replace(LOGIN, `$1${DOTS}$3`) : DOTS;
}
