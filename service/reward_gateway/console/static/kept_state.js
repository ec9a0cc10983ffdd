// The state of a page in its address behind the #, which no browser sends anywhere: a reload, a bookmark and a link
// hold it.
const EVERY_MS = 500; // Safari refuses more than 100 changes of the address in 30 seconds, Chromium more than 200
const LEFT = "reward-gateway: the page that was left last, and its state";

function encode(text) {
  const bytes = Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte));
  return btoa(bytes.join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function decode(written) {
  const bytes = atob(written.replaceAll("-", "+").replaceAll("_", "/"));
  return new TextDecoder().decode(Uint8Array.from(bytes, (letter) => letter.charCodeAt(0)));
}

export class KeptState {
  #waiting = null;
  #written = -Infinity;

  // prefix: of the fragment, "#" first; tell: answers with the state as it is, a text.
  constructor(prefix, tell) {
    this.prefix = prefix;
    this.tell = tell;
    window.addEventListener("visibilitychange", () => this.#finish());
    window.addEventListener("pagehide", () => this.#leave());
  }

  // What the address holds; null where it holds nothing, or was cut off.
  read() {
    this.#takeLeft();
    if (!location.hash.startsWith(this.prefix) || location.hash === this.prefix) return null;
    try {
      return decode(location.hash.slice(this.prefix.length));
    } catch {
      return null;
    }
  }

  // Says that the state is another one: it is written at once, or as soon as it may be again.
  change() {
    if (this.#waiting !== null) return;
    const wait = this.#written + EVERY_MS - performance.now();
    if (wait <= 0) this.#write();
    else this.#waiting = setTimeout(() => this.#write(), wait);
  }

  // Says that it need not be kept any more: another change would have to come first.
  drop() {
    clearTimeout(this.#waiting);
    this.#waiting = null;
    this.#written = -Infinity;
  }

  #write() {
    clearTimeout(this.#waiting);
    this.#waiting = null;
    this.#written = performance.now();
    history.replaceState(null, "", this.prefix + encode(this.tell()));
  }

  #finish() {
    if (this.#waiting !== null) this.#write();
  }

  // A page is loaded anew at the address that the browser knew of it when that began: it may be an older one.
  #leave() {
    if (this.#written === -Infinity) return;
    this.#finish();
    try {
      sessionStorage.setItem(LEFT, JSON.stringify([location.pathname + location.search, location.hash]));
    } catch {
      // this browser keeps nothing for us
    }
  }

  #takeLeft() {
    try {
      const [page, state] = JSON.parse(sessionStorage.getItem(LEFT) ?? "[]");
      sessionStorage.removeItem(LEFT);
      const again = performance.getEntriesByType("navigation")[0].type === "reload";
      if (again && page === location.pathname + location.search) history.replaceState(null, "", state);
    } catch {
      // as above
    }
  }
}
