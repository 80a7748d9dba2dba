// What users write, for the compiler alone: every line has to be accepted, and each marked line refused. A mark under
// which nothing is wrong is an error itself.

import { Gmail, Google, Host, NbhdError, Router, Secret, Telegram, buildBrief, testkit } from "nbhd";
import type { Answer, CalendarEvent, ChatMessage, Fault, Page, Receipt, RouterConfig, StreamEvent } from "nbhd";

export async function read(): Promise<number> {
  const host = new Host("sqlite:nbhd.db");
  const google = new Google(host, { clientId: "id", clientSecret: Secret.env("GOOGLE_CLIENT_SECRET") });
  const account = google.account("tenant-42");
  await account.connect(Secret.env("GOOGLE_REFRESH_TOKEN"), { scopes: ["gmail.readonly"] });
  const unread = await account.gmail.listMessages({ query: "is:unread", limit: 20, signal: AbortSignal.timeout(9) });
  const receipt: Receipt = unread.receipt;
  const next: string | null = unread.nextPageToken;
  const events: Page<CalendarEvent> = await account.calendar.listEvents({ window: "today", timeZone: "Europe/Berlin" });
  for (const event of events) {
    if (event.start?.type === "timed") console.log(event.start.at, event.start.zone, event.organizer?.isSelf);
    // @ts-expect-error: a whole day has no time
    if (event.start?.type === "all_day") console.log(event.start.at);
  }
  // @ts-expect-error: the limit is a number
  await account.gmail.listMessages({ limit: "twenty" });
  // @ts-expect-error: there is no such option
  await account.gmail.listMessages({ q: "is:unread" });
  // @ts-expect-error: an id is a text
  await account.gmail.getMessage(7);
  // @ts-expect-error: a client needs its secret
  new Google(host, { clientId: "id" });
  // @ts-expect-error: made by an account only
  new Gmail();
  return unread.filter((card) => card.unread && receipt.seconds < 1 && next === null).length;
}

const config: RouterConfig = {
  provider: { openai: { api_key: { env: "OPENAI_API_KEY" } } },
  purpose: { general: { chain: ["openai/some-model"], timeout: { first_content: "30s" } } },
  budget: { tenant: { day: "2.00 USD" } },
  on_drop: "drain",
};

export async function ask(host: Host, messages: Array<ChatMessage>, signal: AbortSignal): Promise<string> {
  const router = new Router(host, config);
  new Router(host, "llm.toml");
  const options = { purpose: "general", scopes: ["tenant:42"], signal };
  const answer: Answer = await router.chat("What needs my attention?", options);
  console.log(answer.text, answer.cost.usd, answer.finishReason === "stop", answer.toolCalls.length);
  for await (const event of router.stream(messages, options)) {
    if (event.type === "text") process.stdout.write(event.text);
    if (event.type === "finished") return event.answer.text;
    // @ts-expect-error: a failure throws, it is never an event
    if (event.type === "failed") return "";
  }
  // @ts-expect-error: a message has a role
  await router.chat([{ content: "hello" }]);
  // @ts-expect-error: the messages stand first
  await router.chat({ messages: "hello" });
  const most = (await router.explain("hello", options)).candidates.map((candidate) => candidate.bound);
  // @ts-expect-error: what is returned is an amount in nano-USD, never a text
  const text: string | null | undefined = most[0];
  return text ?? "";
}

export function seen(event: StreamEvent): string {
  switch (event.type) {
    case "started":
      return event.model;
    case "text":
    case "reasoning":
      return event.text;
    case "tool_call":
      return event.name;
    case "usage":
      return event.cost.usd;
    case "finished":
      return event.answer.text;
  }
}

export async function send(telegram: Telegram, conversation: string): Promise<string> {
  try {
    const delivery = await telegram.send(conversation, { markdown: "…", key: "answer:42" });
    return delivery.parts.map((part) => part.outcome).join();
  } catch (error) {
    if (error instanceof NbhdError && error.outcome === "unknown") return `${error.retryAfter} ${error.userAction}`;
    // @ts-expect-error: no such outcome
    if (error instanceof NbhdError && error.outcome === "lost") return error.code;
    throw error;
  } finally {
    // @ts-expect-error: no such option
    await telegram.send(conversation, { markdown: "…", quiet: true });
  }
}

export async function work(host: Host, telegram: Telegram): Promise<void> {
  const work = await host.inbox.claim();
  // @ts-expect-error: there may be none
  console.log(work.event);
  if (!work) return;
  const intent = telegram.intent(work.event.conversation, { markdown: "…", key: `answer:${work.event.id}` });
  await work.commit([intent]);
  await work.commitWith([], [{ type: "put", key: "orders/1", value: "paid", ttl: 60 }]);
  // @ts-expect-error: a put has a value
  await work.commitWith([], [{ type: "put", key: "orders/1" }]);
  console.log((await host.store.get("orders/1"))?.expiresAt, await host.store.sum("orders"));
}

export async function test(): Promise<void> {
  const google = new testkit.Google({ mailbox: "tests/inbox.mbox", clock: new testkit.Clock("2026-11-21T08:00:00Z") });
  const busy: Fault = { status: 429, retryAfter: 1, times: 3 };
  google.fail("gmail.messages.get", busy);
  // @ts-expect-error: no such fault
  google.fail("gmail.messages.get", { kind: "explode" });
  const account = google.client(new Host("memory:")).account("tenant-42");
  console.log((await account.gmail.listMessages({ limit: 20 })).length, google.calls("gmail.messages.get"));
  const brief = buildBrief({ now: "2026-11-21T08:00:00Z", timeZone: "Europe/Berlin" });
  console.log(brief.calendar.next24h.length);
}
