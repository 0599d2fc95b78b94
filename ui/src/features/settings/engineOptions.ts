import type { EngineCandidate, EngineChoice, EngineStatus } from "$lib/api";
import { originWords } from "$lib/state/engineView";

export type EngineOption = { choice: EngineChoice; title: string; detail: string; trouble: string | null };

export function choiceKey(choice: EngineChoice): string {
  return choice.type === "address" ? choice.address : choice.type;
}

/** What can be chosen: the two rules, each engine that was found, and the address in use if it is none of them. */
export function engineOptions(candidates: EngineCandidate[], status: EngineStatus | null): EngineOption[] {
  const options: EngineOption[] = [
    {
      choice: { type: "auto" },
      title: "Choose for me",
      detail: "An engine that is on this computer, in the order in which the docker command looks; else Wherry's own.",
      trouble: null,
    },
    {
      choice: { type: "machine" },
      title: "Wherry's own engine",
      detail: "A small Linux with Docker inside.",
      trouble: status?.machineUnavailable?.message ?? null,
    },
  ];
  for (const { origin, address, info, unreachable } of candidates) {
    if (origin.type === "machine" || options.some((option) => choiceKey(option.choice) === address)) continue;
    options.push({
      choice: { type: "address", address },
      title: info ? `${info.product} ${info.version}` : address,
      detail: info ? `${originWords(origin)} ${address}` : originWords(origin),
      trouble: unreachable ? `Does not answer: ${unreachable}` : null,
    });
  }
  const choice = status?.choice;
  if (choice?.type === "address" && !options.some((option) => choiceKey(option.choice) === choice.address)) {
    options.push({ choice, title: choice.address, detail: "The address you chose.", trouble: null });
  }
  return options;
}
