// @ts-check
import { call, pinBytes } from "./api.js";
import { onSubmit } from "./dialogs.js";
import { complain, element, input, say, several } from "./words.js";

/** @typedef {import("./api.js").State} State */

/** The view of what is demanded of the person. */
export class SettingsView {
  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
    this.alwaysUV = true;
    this.fingers = false;
    element("change-always-uv").addEventListener("click", () => this.askAlwaysUV());
    element("change-min-pin").addEventListener("click", () => this.askMinPIN());
    element("change-finger").addEventListener("click", () => this.askFingers());
  }

  async load() {
    /** @type {[State, import("./api.js").Settings]} */
    const [state, settings] = await Promise.all([call("state"), call("settings")]);
    this.alwaysUV = settings.always_uv;
    element("setting-pin").textContent = pinInWords(state, settings.force_pin_change);
    element("setting-always-uv").textContent = settings.always_uv
      ? "On: every use of a passkey needs the PIN, and the TPM binds each new passkey to it."
      : "Off: the PIN is asked for when a service wants it.";
    element("change-always-uv").textContent = settings.always_uv ? "Turn off…" : "Turn on…";
    element("setting-min-pin").textContent = `${settings.min_pin_length} characters.`;
    input("min-pin").min = String(settings.min_pin_length);
    input("min-pin").value = String(settings.min_pin_length);
    element("setting-hardware").textContent = state.hardware;
    this.showFingers(settings.fingers);
  }

  /** @param {import("./api.js").Fingers} [fingers] none where no finger can stand for the PIN */
  showFingers(fingers) {
    element("finger-card").hidden = !fingers;
    if (!fingers) return;
    this.fingers = fingers.span !== "";
    element("setting-finger").textContent = this.fingers
      ? `On: for ${fingers.span} after the PIN was typed, or until the screen is locked, a finger on this machine's reader stands for it.`
      : "Off: the PIN is typed each time.";
    element("finger-trouble").hidden = fingers.trouble === "";
    element("finger-trouble").textContent = `It does not work now: ${fingers.trouble}; hint: ${fingers.hint}.`;
    element("change-finger").textContent = this.fingers ? "Turn off…" : "Turn on…";
  }

  askAlwaysUV() {
    const value = this.alwaysUV ? "off" : "on";
    this.ask(`Turn the PIN at every use ${value}?`, this.alwaysUV
      ? "Passkeys made from now on will be presence-only: malware that runs as you can use them without the PIN. Those that you have stay bound to it."
      : "Passkeys made from now on are bound to the PIN by the TPM. Those made in between are not: register them anew.", "always-uv", value);
  }

  askFingers() {
    const value = this.fingers ? "off" : "on";
    this.ask(`Turn the finger in place of the PIN ${value}?`, this.fingers
      ? "Every use needs the PIN typed from now on."
      : "After the PIN was typed once, a finger stands for it for 8 hours, or until the screen is locked, another user comes to the front, you log out or the machine sleeps.",
    "fingerprint", value);
  }

  askMinPIN() {
    const value = input("min-pin").value;
    this.ask(`Raise the least length of a PIN to ${value}?`, "It cannot be lowered again, but by a reset, which destroys every passkey.", "min-pin-length", value);
  }

  /**
   * @param {string} title
   * @param {string} text
   * @param {string} setting
   * @param {string} value
   */
  ask(title, text, setting, value) {
    element("configure-title").textContent = title;
    element("configure-text").textContent = text;
    onSubmit("configure", async () => {
      const answer = await call("configure", { setting, value, pin: pinBytes(input("configure-pin").value) });
      say(answer.done);
      this.reload();
    }, this.changed);
    input("configure-pin").focus();
  }

  reload() {
    this.changed();
    this.load().catch((err) => complain(element("trouble"), err));
  }
}

/**
 * @param {State} state
 * @param {boolean} force
 */
function pinInWords(state, force) {
  if (!state.pin_set) return "None is set yet.";
  if (state.retries === 0) return "Locked for good, after 8 wrong ones.";
  const left = `${several(state.retries, "try", "tries")} left.`;
  if (state.reinsert) return `Paused after three wrong ones: run localpasskey reconnect. ${left}`;
  return force ? `Set, and has to be changed before its next use. ${left}` : `Set. ${left}`;
}
