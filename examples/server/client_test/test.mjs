// What OpenAI's own client makes of the server. TestOpenAIClient starts the server
// with a key, a limit on bodies and one slot, and runs this with BASE_URL and KEY.
import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";

const baseURL = process.env.BASE_URL;
const client = new OpenAI({ baseURL, apiKey: process.env.KEY, maxRetries: 0 });
const model = "tale";
const messages = [{ role: "user", content: "Once upon a time there was a king" }];

test("models", async () => {
  const list = [];
  for await (const m of client.models.list()) list.push(m.id);
  assert.deepEqual(list, [model]);
  assert.equal((await client.models.retrieve(model)).owned_by, "coterie");
  await assert.rejects(client.models.retrieve("other"), OpenAI.NotFoundError);
});

test("chat", async () => {
  const ask = { model, messages, max_tokens: 24, seed: 7, temperature: 0.8 };
  const a = await client.chat.completions.create(ask);
  const b = await client.chat.completions.create(ask);
  assert.equal(a.choices[0].message.role, "assistant");
  assert.ok(a.choices[0].message.content.length > 0);
  assert.equal(a.choices[0].message.content, b.choices[0].message.content, "the same seed");
  assert.equal(a.choices[0].finish_reason, "length");
  assert.equal(a.usage.completion_tokens, 24);
  assert.equal(a.usage.total_tokens, a.usage.prompt_tokens + 24);

  const { data: stream, response } = await client.chat.completions
    .create({ ...ask, stream: true, stream_options: { include_usage: true } })
    .withResponse();
  assert.match(response.headers.get("content-type"), /text\/event-stream/);
  let text = "", finish = null, usage = null, chunks = 0;
  for await (const c of stream) {
    chunks++;
    text += c.choices[0]?.delta?.content ?? "";
    finish = c.choices[0]?.finish_reason ?? finish;
    usage = c.usage ?? usage;
  }
  assert.equal(text, a.choices[0].message.content, "streamed as whole");
  assert.ok(chunks > 10);
  assert.equal(finish, "length");
  assert.deepEqual(usage, a.usage);
});

test("choices", async () => {
  const r = await client.chat.completions.create({ model, messages, max_tokens: 12, n: 3, seed: 1, temperature: 1.2 });
  assert.deepEqual(r.choices.map((c) => c.index), [0, 1, 2]);
  assert.equal(new Set(r.choices.map((c) => c.message.content)).size, 3);
  assert.equal(r.usage.completion_tokens, 36);
});

test("stop", async () => {
  const whole = await client.chat.completions.create({ model, messages, max_tokens: 40, temperature: 0 });
  const text = whole.choices[0].message.content;
  const stop = text.slice(20, 26);
  const cut = await client.chat.completions.create({ model, messages, max_tokens: 40, temperature: 0, stop: [stop, "@"] });
  assert.equal(cut.choices[0].message.content, text.slice(0, text.indexOf(stop)));
  assert.equal(cut.choices[0].finish_reason, "stop");
});

test("logprobs", async () => {
  const r = await client.chat.completions.create({ model, messages, max_tokens: 6, temperature: 0, logprobs: true, top_logprobs: 4 });
  const content = r.choices[0].logprobs.content;
  assert.equal(content.length, 6);
  assert.equal(content.map((t) => t.token).join(""), r.choices[0].message.content);
  for (const t of content) {
    assert.ok(t.logprob <= 0 && t.top_logprobs.length === 4);
    assert.equal(t.top_logprobs[0].token, t.token, "the likeliest was taken");
    assert.equal(Buffer.from(t.bytes).toString(), t.token);
  }
});

test("logit bias", async () => {
  const r = await client.chat.completions.create({ model, messages, max_tokens: 4, temperature: 0, logit_bias: { 300: 100 }, logprobs: true });
  assert.equal(new Set(r.choices[0].logprobs.content.map((t) => t.token)).size, 1);
});

test("json schema", async () => {
  const schema = {
    type: "object", additionalProperties: false, required: ["name", "age", "kind"],
    properties: { name: { type: "string" }, age: { type: "integer", minimum: 1, maximum: 99 }, kind: { enum: ["king", "queen"] } },
  };
  for (let seed = 0; seed < 10; seed++) {
    const r = await client.chat.completions.create({
      model, messages, max_tokens: 60, seed, temperature: 2,
      response_format: { type: "json_schema", json_schema: { name: "person", strict: true, schema } },
    });
    assert.equal(r.choices[0].finish_reason, "stop");
    const v = JSON.parse(r.choices[0].message.content);
    assert.deepEqual(Object.keys(v), ["name", "age", "kind"]);
    assert.ok(Number.isInteger(v.age) && v.age >= 1 && v.age <= 99 && ["king", "queen"].includes(v.kind));
  }
  const r = await client.chat.completions.create({ model, messages, max_tokens: 50, temperature: 1, response_format: { type: "json_object" } });
  assert.equal(typeof JSON.parse(r.choices[0].message.content), "object");
});

test("completions", async () => {
  const prompt = "Once upon a time";
  const r = await client.completions.create({ model, prompt, max_tokens: 8, temperature: 0, logprobs: 2, echo: true });
  assert.ok(r.choices[0].text.startsWith(prompt));
  const l = r.choices[0].logprobs;
  assert.equal(l.tokens.length, l.token_logprobs.length);
  assert.equal(l.token_logprobs[0], null);
  assert.ok(l.token_logprobs.slice(1).every((p) => p <= 0));
  assert.equal(l.tokens.length, r.usage.total_tokens);

  const two = await client.completions.create({ model, prompt: [prompt, "The wolf"], max_tokens: 5, temperature: 0 });
  assert.equal(two.choices.length, 2);
  assert.equal(prompt + two.choices[0].text, r.choices[0].text.slice(0, (prompt + two.choices[0].text).length));

  let text = "";
  for await (const c of await client.completions.create({ model, prompt, max_tokens: 8, temperature: 0, stream: true })) text += c.choices[0].text;
  assert.equal(prompt + text, r.choices[0].text);

  const scored = await client.completions.create({ model, prompt, max_tokens: 0, echo: true, logprobs: 0 });
  assert.equal(scored.choices[0].text, prompt);
  assert.equal(scored.usage.completion_tokens, 0);
});

test("errors", async () => {
  const create = (o) => client.chat.completions.create({ model, messages, ...o });
  const fails = async (p, kind, check) =>
    assert.rejects(p, (e) => {
      assert.ok(e instanceof kind, `${e}`);
      assert.ok(e.message.length > 0 && e.type, `${e}`);
      if (check) check(e);
      return true;
    });
  await fails(create({ temperature: -1 }), OpenAI.BadRequestError, (e) => assert.equal(e.param, "temperature"));
  await fails(create({ messages: [] }), OpenAI.BadRequestError, (e) => assert.equal(e.param, "messages"));
  await fails(create({ messages: [{ role: "wizard", content: "x" }] }), OpenAI.BadRequestError);
  await fails(create({ messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }] }), OpenAI.BadRequestError);
  await fails(create({ messages: [{ role: "user", content: "king ".repeat(2000) }] }), OpenAI.BadRequestError,
    (e) => assert.equal(e.code, "context_length_exceeded"));
  await fails(create({ messages: [{ role: "user", content: "x".repeat(1 << 20) }] }), OpenAI.APIError, (e) => assert.equal(e.status, 413));
  await fails(create({ model: "other" }), OpenAI.NotFoundError, (e) => assert.equal(e.code, "model_not_found"));
  await fails(create({ response_format: { type: "json_schema", json_schema: { name: "x", schema: { not: {} } } } }), OpenAI.BadRequestError,
    (e) => assert.match(e.message, /keyword not/));
  await fails(create({ logit_bias: { 99999: 1 } }), OpenAI.BadRequestError);
  await fails(create({ stream: true, stop: [""] }), OpenAI.BadRequestError);
  const stranger = new OpenAI({ baseURL, apiKey: "wrong", maxRetries: 0 });
  await fails(stranger.models.list(), OpenAI.AuthenticationError, (e) => assert.equal(e.code, "invalid_api_key"));
});

// There is one slot: an abandoned request that went on would block the next one.
test("cancel", async () => {
  const stream = await client.chat.completions.create({ model, messages, max_tokens: 400, temperature: 1, stream: true });
  for await (const _ of stream) break; // closes the connection
  const r = await client.chat.completions.create({ model, messages, max_tokens: 1 }, { timeout: 5000 });
  assert.equal(r.usage.completion_tokens, 1);
});
