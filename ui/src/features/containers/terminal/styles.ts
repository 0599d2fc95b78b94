// xterm writes its colours and sizes into style elements, which the page's policy refuses: no text that a program
// prints shall ever become a style. Sheets made by script are allowed, so its elements are given one each.

/** A document whose style elements hand their text to a sheet of the page. */
export function styledDocument(): Document {
  return new Proxy(document, {
    get(target, key) {
      if (key === "createElement") return create;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

function create(name: string, options?: ElementCreationOptions): HTMLElement {
  const element = document.createElement(name, options);
  if (name === "style") withSheet(element);
  return element;
}

function withSheet(element: HTMLElement): void {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  Object.defineProperties(element, {
    textContent: { set: (text: string) => sheet.replaceSync(text) },
    remove: {
      value() {
        document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet);
        HTMLElement.prototype.remove.call(element);
      },
    },
  });
}
