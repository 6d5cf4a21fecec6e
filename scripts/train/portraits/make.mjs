// Draws pictures for recipe.toml to train on: COUNT of each style, 64 × 64 pixels on white, into
// FOLDER/<style>/<n>.png. Each picture is what the style makes of the seed "<n>", so a second run makes the same.
//
//     cd scripts/train/avatars && npm ci && node make.mjs FOLDER [COUNT]
//
// The styles are DiceBear's (9.2.4) drawings by their designers: Adventurer and Lorelei by Lisa Wischofsky, Dylan by
// Natalia Spivak, Micah by Micah Lanier, Open Peeps by Pablo Stanley, Personas by Draftbit. Lorelei and Open Peeps are
// CC0 1.0, the others CC BY 4.0.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as adventurer from "@dicebear/adventurer";
import { createAvatar } from "@dicebear/core";
import * as dylan from "@dicebear/dylan";
import * as lorelei from "@dicebear/lorelei";
import * as micah from "@dicebear/micah";
import * as openPeeps from "@dicebear/open-peeps";
import * as personas from "@dicebear/personas";
import { Resvg } from "@resvg/resvg-js";

const styles = {
  Adventurer: adventurer,
  Dylan: dylan,
  Lorelei: lorelei,
  Micah: micah,
  "Open Peeps": openPeeps,
  Personas: personas,
};
// Looking for fonts takes longer than a drawing, and none has words.
const options = { fitTo: { mode: "width", value: 64 }, font: { loadSystemFonts: false } };
const [folder, count = "3500"] = process.argv.slice(2);
if (!folder || !(Number(count) > 0)) {
  console.error("usage: node make.mjs FOLDER [COUNT]");
  process.exit(2);
}
for (const [name, style] of Object.entries(styles)) {
  const into = join(folder, name);
  mkdirSync(into, { recursive: true });
  for (let n = 0; n < Number(count); n++) {
    const drawing = createAvatar(style, { seed: String(n), backgroundColor: ["ffffff"] }).toString();
    const picture = new Resvg(drawing, options).render();
    writeFileSync(join(into, `${n}.png`), picture.asPng());
  }
}
