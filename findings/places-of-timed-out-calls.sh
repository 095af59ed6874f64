#!/usr/bin/env bash
# A queue for two calls at a time has eight in flight: a time limit frees the place of a call, and the call goes on.
#
# Versions:  p-queue 9.3.5, bottleneck 2.19.5, p-limit 7.3.3 with p-timeout 8.0.0 (npm).
# Input:     eight prompts to a service that thinks for a second, at most two at a time, with a limit of 0.1 s for each:
#            `timeout` of p-queue, `expiration` of bottleneck, `pTimeout` inside p-limit.
# Seen:      the service has eight requests at once, and answers all eight; the caller has eight errors. With a signal
#            for each request, `AbortSignal.timeout`, the calls end with their places, and the service answers none.
# Matters:   a service is slow when it is overloaded: then the limit that protects it is gone, its limits for concurrent
#            requests are hit, and every answer is billed and thrown away. A time limit has to end the request itself.
. "$(dirname "$0")/lib/run.sh"
run_node p-queue@9.3.5 bottleneck@2.19.5 p-limit@7.3.3 p-timeout@8.0.0 <<'JS'
import http from "node:http";
import Bottleneck from "bottleneck";
import pLimit from "p-limit";
import PQueue from "p-queue";
import pTimeout from "p-timeout";

const measure = async (schedule) => {
  let [running, most, answered] = [0, 0, 0];
  const server = http.createServer((request, response) => {
    most = Math.max(most, ++running);
    const answer = setTimeout(() => response.end(`${++answered}`), 1000);
    response.on("close", () => {
      running--;
      clearTimeout(answer);
    });
    request.resume();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  const ask = async (signal) => (await fetch(url, { method: "POST", signal })).text();
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => schedule(ask)));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  server.close();
  return [most, answered, results.filter(({ status }) => status === "rejected").length];
};
const queue = new PQueue({ concurrency: 2, timeout: 100 });
const limiter = new Bottleneck({ maxConcurrent: 2 });
const [limit, other] = [pLimit(2), pLimit(2)];
const seen = {
  "p-queue": await measure((ask) => queue.add(() => ask())),
  bottleneck: await measure((ask) => limiter.schedule({ expiration: 100 }, () => ask())),
  "p-limit, p-timeout": await measure((ask) => limit(() => pTimeout(ask(), { milliseconds: 100 }))),
};
const [most, ...rest] = await measure((ask) => other(() => ask(AbortSignal.timeout(100))));
console.log("most at once, answered, failed:", seen, "with a signal:", most, ...rest);
const expected = "8,8,8 8,8,8 8,8,8 0,8";
if (`${Object.values(seen).join(" ")} ${rest}` !== expected || most > 6) throw new Error("The behaviour has changed.");
process.exit();
JS
