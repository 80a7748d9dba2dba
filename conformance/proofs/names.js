// Every public name of the Node package, by introspection: one line of JSON, in snake_case so that it compares.
"use strict";

const nbhd = require(process.env.NBHD_NODE);

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace(/^_/, "");
const names = {};

function add(prefix, name, thing) {
  if (name.startsWith("_") || thing === nbhd.NbhdError) return;
  if (typeof thing !== "function") return;
  if (!/^[A-Z]/.test(name)) {
    names[prefix + snake(name)] = "function";
    return;
  }
  names[prefix + name] = "handle";
  const own = [...Object.getOwnPropertyNames(thing.prototype), ...Object.getOwnPropertyNames(thing)];
  for (const verb of own) {
    if (["constructor", "length", "name", "prototype", "arguments", "caller"].includes(verb) && !(verb === "name" && verb in thing.prototype)) continue;
    if (verb.startsWith("_")) continue;
    names[`${prefix}${name}.${snake(verb)}`] = "alone";
  }
}

for (const [name, thing] of Object.entries(nbhd)) {
  if (name === "testkit") {
    for (const [inner, kit] of Object.entries(thing)) add("testkit.", inner, kit);
  } else {
    add("", name, thing);
  }
}
console.log(JSON.stringify({ names }));
