// One turn of an assistant, offline: stand-ins take the places of Google, the model and Telegram.
const { Host, Router, testkit } = require("nbhd");

async function main() {
  const [google, models, chat] = [new testkit.Google(), new testkit.Models(), new testkit.Telegram()];
  google.deliver("From: Ada <ada@example.com>\nSubject: The offer\n\nCould you answer by noon?\n");
  process.env.OPENAI_API_KEY = "a stand-in takes any key";

  const host = new Host("memory:"); // "sqlite:nbhd.db" keeps its state
  const account = google.client(host).account("tenant-42");
  const telegram = chat.client(host);
  const router = new Router(host, {
    provider: { openai: { base_url: models.baseUrl("openai"), api_key: { env: "OPENAI_API_KEY" } } },
    purpose: { general: { chain: ["openai/gpt-4o-mini"], scopes: ["tenant"] } },
    budget: { tenant: { day: "2.00 USD" } },
  });

  const call = chat.say(4711, "What needs my attention?");
  await telegram.receive(call.headers, call.body); // a webhook call: verified and stored
  const work = await host.inbox.claim();
  const { id, text, conversation } = work.event;
  let question = text;
  for (const mail of await account.gmail.listMessages({ query: "is:unread", limit: 20 })) {
    question += `\ngmail:${mail.id} | From: ${mail.from.email} | Subject: ${mail.subject}`;
  }
  const answer = await router.chat(question, { purpose: "general", scopes: ["tenant:42"] });
  await telegram.send(conversation, { text: answer.text, key: `answer:${id}` });
  await work.done();
  console.log(`${chat.messages().at(-1).text}\n(${answer.cost.usd} USD)`);
}
main();
