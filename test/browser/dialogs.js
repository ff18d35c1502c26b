// @ts-check
"use strict";

// Runs in Firefox's own window: does what a person would in its dialogs. It is there
// before they are, for whoever asks Firefox anything while one is open may close it.
(() => {
  /** @type {string[]} */
  const seen = [];
  globalThis.dialogs = {
    /** PINs to type, the first one first. @type {string[]} */
    pins: [],
    /** What Firefox has asked since the last time. */
    seen: () => seen.splice(0),
  };

  // The service behind: "presence", "pin-required", "pin-invalid", "already-registered" …
  Services.obs.addObserver((_, __, data) => {
    const { prompt } = JSON.parse(data);
    seen.push([prompt.type, prompt.retries].filter((word) => word !== undefined).join(" "));
  }, "webauthn-prompt");

  // "… is requesting extended information about your security key": the button says Allow.
  // Firefox does not take a click at once, in case somebody was about to click elsewhere.
  PopupNotifications.panel.addEventListener("popupshown", () => {
    for (const shown of PopupNotifications.panel.children) {
      if (shown.id !== "webauthn-prompt-register-direct-notification") continue;
      setTimeout(() => shown.button.click(), 1500);
    }
  });

  // "Please enter the PIN for your device."
  Services.obs.addObserver((dialog) => {
    const pin = globalThis.dialogs.pins.shift();
    seen.push(`dialog ${dialog.Dialog.args.text}`);
    if (dialog.Dialog.args.promptType !== "promptPassword" || pin === undefined) return;
    dialog.setTimeout(() => {
      dialog.document.getElementById("password1Textbox").value = pin;
      dialog.Dialog.ui.button0.disabled = false;
      dialog.Dialog.ui.button0.click();
    }, 500);
  }, "common-dialog-loaded");
})();
