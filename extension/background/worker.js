// @ts-check

// The extension's background: nothing is kept here but requests that are under way.

import { serve } from "./requests.js";

const api = globalThis.browser ?? globalThis.chrome;

api.runtime.onConnect.addListener((port) => {
  if (port.name === "page" && port.sender?.id === api.runtime.id) serve(port);
});
