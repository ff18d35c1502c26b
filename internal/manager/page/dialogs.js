// @ts-check
import { call, pinBytes } from "./api.js";
import { complain, day, element, input, made, moment, several } from "./words.js";

/** @typedef {import("./api.js").Passkey} Passkey */

/**
 * @param {string} id
 * @returns {HTMLDialogElement}
 */
function dialog(id) {
  return /** @type {HTMLDialogElement} */ (element(id));
}

/** Cancel and Close do what Esc does. */
export function prepareDialogs() {
  for (const button of document.querySelectorAll('dialog button[value="close"]')) {
    button.addEventListener("click", () => button.closest("dialog")?.close());
  }
  for (const id of ["rename", "delete", "configure"]) {
    // The PIN stays in its field no longer than the question is open.
    dialog(id).addEventListener("close", () => { input(`${id}-pin`).value = ""; });
  }
}

/** @param {number} level */
function protection(level) {
  if (level === 3) return "3: hidden without user verification, always";
  if (level === 2) return "2: hidden without user verification, unless the service names it";
  return "1: none";
}

/** @param {Passkey} p */
export function showDetails(p) {
  const box = dialog("details");
  element("details-title").replaceChildren(made("span", p.service));
  const facts = [
    ...(p.hidden ? [["Hidden", "Yes: the service has said that it does not know it any more, or you have hidden it. It is not offered."]] : []),
    ["User name", p.user_name || "–"],
    ["Display name", p.display_name || "–"],
    ["Service calls itself", p.calls_itself || "–"],
    ["Created", moment(p.created * 1000)],
    ["Last used", p.last_used ? moment(p.last_used * 1000) : day(0)],
    ["Uses", `${p.uses.toLocaleString()} (sign count ${p.sign_count.toLocaleString()})`],
    ["Kind", p.discoverable ? "Passkey: the service finds it by itself" : "Security key: works once the service knows the user name"],
    ["Where the key lives", `In this ${withFinger ? "Mac's Secure Enclave" : "machine's TPM"}. It cannot leave it, and there is no copy.`],
    ...(withFinger ? [["Finger", p.pin_bound ? "Enforced by the Secure Enclave: without a finger the key signs for nobody"
      : "Not demanded by the Secure Enclave"]] : [["PIN", p.pin_bound ? "Enforced by the TPM: without the PIN the key signs for nobody"
      : "Asked for by LocalPasskey when the service wants it; the TPM would sign without it"]]),
    ["Extensions in use", p.extensions.join(", ") || "none"],
    ["Encrypts data", p.encrypts ? "Yes (hmac-secret): data may be locked with it, and is lost with it" : "No"],
    ["As the site sees it", `${p.flags} (${p.flags === "BE=0 BS=0" ? "device-bound, not synced" : "may be synced"})`],
    ["credProtect", protection(p.cred_protect)],
    ["Algorithm", p.algorithm],
    ["AAGUID", p.aaguid],
    ["Credential ID", p.id],
  ];
  element("facts").replaceChildren(...facts.flatMap(([name, value]) => {
    const code = name === "AAGUID" || name === "Credential ID";
    return [made("dt", name), made("dd", value, code ? "code" : "")];
  }));
  box.showModal();
}

let withFinger = false;

/**
 * Where a finger stands for the PIN there is none to type, and nothing to say of it.
 * @param {boolean} finger
 */
export function useFinger(finger) {
  withFinger = finger;
  for (const id of ["rename", "delete", "configure"]) {
    const pin = input(`${id}-pin`);
    pin.required = !finger;
    const label = pin.closest("label");
    if (label) label.hidden = finger;
  }
  for (const part of document.querySelectorAll(".with-pin")) part.toggleAttribute("hidden", finger);
}

/**
 * Has the form of a dialog do something, with the PIN, until it works or is cancelled.
 * @param {string} id
 * @param {() => Promise<void>} act
 * @param {() => void} failed
 */
export function onSubmit(id, act, failed) {
  const box = dialog(id);
  const form = box.querySelector("form");
  const trouble = box.querySelector(".trouble");
  const submit = /** @type {HTMLButtonElement | null} */ (box.querySelector('button[type="submit"]'));
  if (!form || !submit) return;
  complain(trouble, null);
  form.onsubmit = async (e) => {
    e.preventDefault();
    submit.disabled = true;
    try {
      await act();
      box.close();
    } catch (err) {
      complain(trouble, err);
      input(`${id}-pin`).value = "";
      input(`${id}-pin`).focus();
      failed();
    } finally {
      submit.disabled = false;
    }
  };
  box.showModal();
}

/**
 * @param {Passkey} p
 * @param {(text: string) => void} done
 * @param {() => void} failed
 */
export function askRename(p, done, failed) {
  element("rename-title").replaceChildren("Rename ", made("span", p.user_name || "(no name)"), " at ", made("span", p.service));
  input("rename-user").value = p.user_name;
  input("rename-display").value = p.display_name;
  onSubmit("rename", async () => {
    await call("rename", {
      id: p.id, user_name: input("rename-user").value, display_name: input("rename-display").value,
      pin: pinBytes(input("rename-pin").value),
    });
    done(`Renamed to ${input("rename-user").value}`);
  }, failed);
  input("rename-user").select();
}

/**
 * What has to be typed; the Go side holds to it (Confirmation in api.go).
 * @param {Passkey[]} passkeys
 */
function phraseFor(passkeys) {
  const one = passkeys.every((p) => p.service === passkeys[0].service);
  return one ? passkeys[0].service : `delete ${passkeys.length} passkeys`;
}

/**
 * @param {Passkey[]} passkeys
 * @param {(text: string) => void} done
 * @param {() => void} failed
 */
export function askDelete(passkeys, done, failed) {
  if (passkeys.length === 0) return;
  const phrase = phraseFor(passkeys);
  const one = passkeys.length === 1;
  element("delete-title").replaceChildren(...(one
    ? ["Delete the passkey for ", made("span", passkeys[0].service), "?"] : [`Delete ${several(passkeys.length, "passkey")}?`]));
  element("delete-list").replaceChildren(...passkeys.map((p) => made("li", `${p.service}: ${p.user_name || "(no name)"}`)));
  element("delete-encrypts").hidden = !passkeys.some((p) => p.encrypts);
  element("delete-phrase").textContent = phrase;
  const typed = input("delete-typed");
  const pin = input("delete-pin");
  const submit = /** @type {HTMLButtonElement} */ (element("delete-do"));
  const check = () => { submit.disabled = typed.value !== phrase || (pin.required && pin.value === ""); };
  typed.value = "";
  typed.oninput = check;
  pin.oninput = check;
  onSubmit("delete", async () => {
    const gone = await call("delete", { ids: passkeys.map((p) => p.id), typed: typed.value, pin: pinBytes(pin.value) });
    done(gone.refusal ? `Deleted ${gone.ids.length} of ${passkeys.length}: ${gone.refusal.error}`
      : `Deleted ${several(gone.ids.length, "passkey")}`);
  }, () => { check(); failed(); });
  check();
  typed.focus();
}
