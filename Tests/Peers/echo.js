// An HTTP server that sends back what it is sent, over one version of HTTP.
//
//     node echo.js http/1.1|h2c|h2 [certificate key]
//
// Every answer says which version the request came in, how long its body was and the SHA-256 of
// it: in fields for a request without a body, else in trailers, because the body goes back while
// it still comes. `/slow` answers when its client has asked for `/go`.
const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const http2 = require("node:http2");

const [version, certificate, key] = process.argv.slice(2);
const slow = [];

function answer(request, response) {
  const path = request.url;
  console.log(`request ${request.httpVersion} ${request.method} ${path}`);
  response.setHeader("x-version", request.httpVersion);
  response.setHeader("x-host", request.headers[":authority"] ?? request.headers.host ?? "none");
  for (const name of ["x-forwarded-for", "x-forwarded-proto", "cookie", "upgrade", "te"]) {
    response.setHeader("x-saw-" + name, request.headers[name] ?? "none");
  }
  if (path === "/slow") {
    slow.push(response);
    return;
  }
  if (path === "/go") slow.splice(0).forEach((waiting) => waiting.end("late\n"));
  if (request.method === "GET" || request.method === "HEAD") {
    response.setHeader("content-length", "6");
    response.end(request.method === "HEAD" ? undefined : "hello\n");
    return;
  }
  const digest = crypto.createHash("sha256");
  let length = 0;
  response.setHeader("trailer", "x-digest, x-length");
  request.on("data", (chunk) => {
    digest.update(chunk);
    length += chunk.length;
    if (!response.write(chunk)) {
      request.pause();
      response.once("drain", () => request.resume());
    }
  });
  request.on("end", () => {
    response.addTrailers({ "x-digest": digest.digest("hex"), "x-length": String(length) });
    response.end();
  });
}

function make() {
  if (version === "http/1.1") return http.createServer(answer);
  if (version === "h2c") return http2.createServer(answer);
  const files = { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) };
  return http2.createSecureServer({ ...files, allowHTTP1: false }, answer);
}

const server = make();
server.on("connection", () => console.log("connection"));
server.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));
