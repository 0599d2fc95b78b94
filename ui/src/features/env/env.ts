// What the two readings of a file of variables mean, in words.

import type { EnvFileView, EnvVariable, EnvWarning } from "$lib/api";

type Said = { word: string; title: string; text: string };

export const WARNINGS: Record<EnvWarning, Said> = {
  quotesKept: {
    word: "quotes kept",
    title: "The quotes stay in the value",
    text: "docker run takes everything after the = sign as it stands. Compose removes the quotes. A blank inside a value needs no quotes in either.",
  },
  blanksKept: {
    word: "blanks kept",
    title: "Blanks at the end stay in the value",
    text: "docker run keeps them, and nobody sees them. Compose removes them.",
  },
  commentKept: {
    word: "comment kept",
    title: "The comment becomes part of the value",
    text: "For docker run only a line that begins with # is a comment. Compose cuts the value before it.",
  },
  expanded: {
    word: "$ expands",
    title: "Compose puts a variable in",
    text: "A $ and a name become that variable's value for Compose. docker run keeps them as they stand. Single quotes stop Compose, and docker run keeps those too.",
  },
  expandedToNothing: {
    word: "$ is lost",
    title: "Compose puts nothing in",
    text: "A $ and a name become that variable's value for Compose, and here it has none. Write $$ for the sign itself; docker run would keep both.",
  },
  export: {
    word: "export",
    title: "docker run refuses the file",
    text: "A name with a blank is refused, and export NAME has one. Compose skips the word. Remove it.",
  },
  blankInName: {
    word: "blank in name",
    title: "The name has a blank",
    text: "Neither takes the file. Is there a blank before the = sign, or is the line no variable?",
  },
  inherited: {
    word: "from outside",
    title: "The value comes from outside",
    text: "Without an = sign, both take the value that whoever starts the command has. Wherry was started with what is shown here.",
  },
  setAgain: {
    word: "set again",
    title: "A later line says it again",
    text: "The last one counts.",
  },
  manyLines: {
    word: "several lines",
    title: "Compose reads several lines as one value",
    text: "Between quotes Compose goes on over the end of the line. docker run takes each line for itself.",
  },
};

/** Both agree, and it is what the line says. */
export function isPlain(variable: EnvVariable): boolean {
  return variable.warnings.length === 0 && variable.run === variable.compose;
}

export function surprises(view: EnvFileView): EnvVariable[] {
  return view.variables.filter((variable) => !isPlain(variable));
}

export function headline(view: EnvFileView): string {
  const total = view.variables.length;
  const odd = surprises(view).length;
  if (total === 0) return "No variables in this file";
  if (odd === 0) return total === 1 ? "The value is what it looks like" : `All ${total} values are what they look like`;
  return `${odd} of ${total} ${total === 1 ? "value is" : "values are"} not what the file seems to say`;
}

export type Piece = { text: string; odd: boolean };

/** The value in pieces, with what nobody sees or expects apart: quotes around it, blanks at its end. */
export function pieces(value: string, secret: boolean): Piece[] {
  const [, open = "", middle = "", close = "", blanks = ""] = /^(["']?)([^]*?)(["']?)([ \t]*)$/.exec(value) ?? [];
  const quoted = open !== "" && open === close;
  const inner = quoted ? middle : open + middle + close;
  const shown = secret && inner !== "" ? "••••••" : inner;
  return [
    { text: quoted ? open : "", odd: true },
    { text: shown, odd: false },
    { text: quoted ? close : "", odd: true },
    { text: blanks.replace(/[ \t]/g, "·"), odd: true },
  ].filter(({ text }) => text !== "");
}
