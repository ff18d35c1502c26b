// Types that several scripts of the extension share. For the checker alone: nothing of
// this is shipped.

/** What the files of page/ hand to each other, until the last one takes it away. */
interface Parts {
  safe: Safe;
  /** Puts a page's options into words, as the JSON forms of WebAuthn do. Throws for what is not ours. */
  words?: { create(publicKey: any): object; get(publicKey: any): object; signal(name: string, options: any): object };
  /** Makes the object that a page expects of the words that come back. */
  credential?: (words: CredentialWords) => object;
}

/** What page/safe.js keeps. Methods take their object as the first argument. */
interface Safe {
  apply: typeof Reflect.apply;
  ownKeys: (o: object) => (string | symbol)[];
  descriptor: (o: object, name: string) => PropertyDescriptor | undefined;
  /** Defines a member as WebIDL has them, whatever Object.prototype has become. */
  put(o: object, name: string | number, value: unknown, writable?: boolean): void;
  create(prototype: object | null): any;
  clone<T>(value: T): T;
  later: typeof setTimeout;
  never: typeof clearTimeout;
  encode(source: unknown): string;
  decode(text: string): ArrayBuffer;
  channel(): { here: MessagePort; there: MessagePort };
  /** Gives the relay a port. */
  hello(port: MessagePort): void;
  send(port: MessagePort, message: unknown): void;
  listen(port: MessagePort, hear: (message: any) => void): void;
  close(port: MessagePort): void;
  aborted(signal: AbortSignal): boolean;
  reason(signal: AbortSignal): unknown;
  /** When the page is read, and when it is complete. */
  onLoad(hear: () => void): void;
  onAbort(signal: AbortSignal, hear: () => void): void;
  offAbort(signal: AbortSignal, hear: () => void): void;
  Promise: PromiseConstructor;
  DOMException: typeof DOMException;
  TypeError: TypeErrorConstructor;
  Container: CredentialsContainer;
  Credential: typeof PublicKeyCredential;
  credentials: CredentialsContainer;
  attestation: object;
  assertion: object;
}

/** RegistrationResponseJSON or AuthenticationResponseJSON (WebAuthn Level 3 §5.1.8). */
interface CredentialWords {
  id: string;
  rawId: string;
  type: string;
  authenticatorAttachment?: string;
  clientExtensionResults: Record<string, any>;
  response: {
    clientDataJSON: string;
    attestationObject?: string;
    authenticatorData: string;
    transports?: string[];
    publicKey?: string;
    publicKeyAlgorithm?: number;
    signature?: string;
    userHandle?: string;
  };
}

/** How a request of a page ends: one of the three. */
interface Outcome {
  /** What was asked for. */
  result?: any;
  /** The page gets this exception. */
  error?: { name: string; message: string };
  /** The browser's own function is to have its turn. */
  browser?: true;
}

/** What the relay sends to the background for a page. */
interface PageRequest {
  op: string;
  /** JSON. */
  options: string;
  context: Context;
}

/** What the relay knows and the page cannot change. */
interface Context {
  /** Whether the browser's permissions policy lets this frame do it. */
  allowed: boolean;
  crossOrigin: boolean;
  activated: boolean;
  visible: boolean;
}

declare var browser: typeof chrome | undefined;
