// Draws the pictures that the bundled model “portraits” is trained on: COUNT of them, 64 × 64 pixels on white, into
// FOLDER/<n>.png. Each is what the style makes of the seed "<n>", so a second run makes the same.
//
//     cd scripts/train/portraits && npm ci && node make.mjs FOLDER [COUNT]
//
// The style is Personas by Draftbit (CC BY 4.0), as DiceBear 9.2.4 composes it.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createAvatar } from "@dicebear/core";
import * as personas from "@dicebear/personas";
import { Resvg } from "@resvg/resvg-js";

// Looking for fonts takes longer than a drawing, and none has words.
const options = { fitTo: { mode: "width", value: 64 }, font: { loadSystemFonts: false } };
const [folder, count = "20000"] = process.argv.slice(2);
if (!folder || !(Number(count) > 0)) {
  console.error("usage: node make.mjs FOLDER [COUNT]");
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
for (let n = 0; n < Number(count); n++) {
  const drawing = createAvatar(personas, { seed: String(n), backgroundColor: ["ffffff"] }).toString();
  writeFileSync(join(folder, `${n}.png`), new Resvg(drawing, options).render().asPng());
}
