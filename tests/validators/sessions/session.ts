// A first session with openapi-fetch, whose types openapi-typescript makes from the documents.
import createClient, { type Middleware } from "openapi-fetch";
import type { paths as Posts } from "./posts.d.ts";
import type { paths as Threads } from "./threads.d.ts";
import type { paths as Users } from "./users.d.ts";

declare const process: { argv: string[] };

const [url, username] = process.argv.slice(2);
if (!url || !username) throw new Error("usage: session.ts URL USERNAME");
const password = "correct horse battery";
const api = createClient<Users & Threads & Posts>({ baseUrl: url });

function expect(what: string, found: unknown, expected: unknown): void {
  if (found !== expected) throw new Error(`${what}: ${found}, not ${expected}`);
}

const registered = await api.POST("/api/users", { body: { username, password } });
expect("register", registered.response.status, 201);
expect("username", registered.data?.username, username);

const opened = await api.POST("/api/users/sessions", { body: { username, password } });
const token = opened.data?.token;
expect("sign in", opened.response.status, 201);
const bearer: Middleware = {
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${token}`);
    return request;
  },
};
api.use(bearer);
expect("me", (await api.GET("/api/users/me")).data?.id, registered.data?.id);

const begun = await api.POST("/api/threads", {
  params: { header: { "Idempotency-Key": `thread-${username}` } },
  body: { title: "A first thread" },
});
expect("create thread", begun.response.status, 201);
const thread_id = begun.data?.id ?? "";
const thread = { path: { thread_id } };

const replied = await api.POST("/api/posts", { body: { thread_id, body: "A *first* post" } });
expect("reply", replied.response.status, 201);
expect("html", replied.data?.html.trim(), "<p>A <em>first</em> post</p>");
const post = { path: { post_id: replied.data?.id ?? "" } };

const read = await api.GET("/api/posts/{post_id}", { params: post });
const etag = read.response.headers.get("ETag") ?? "";
const known = await api.GET("/api/posts/{post_id}", {
  params: { ...post, header: { "If-None-Match": etag } },
});
expect("read again", known.response.status, 304);
const edit = { params: { ...post, header: { "If-Match": etag } }, body: { body: "Edited" } };
expect("edit", (await api.PATCH("/api/posts/{post_id}", edit)).data?.body, "Edited");
const late = await api.PATCH("/api/posts/{post_id}", edit);
expect("late edit", late.response.status, 412);
expect("problem", late.error?.type, "urn:problem:stale");

const listed = await api.GET("/api/posts/in-thread/{thread_id}", { params: thread });
expect("list", listed.data?.items.map((one) => one.body).join(), "Edited");
expect("title", (await api.GET("/api/threads/{thread_id}", { params: thread })).data?.title, "A first thread");
expect("sign out", (await api.DELETE("/api/users/sessions")).response.status, 204);
console.log("the session is complete");
