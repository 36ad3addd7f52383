#!/usr/bin/env bash
# image-js: the ellipse of a round cell is twice as long as it is wide, and that of a long cell depends on how it lies.
#
# Guess before running: the measures of a disc 40 across are those of geometry. It named area, perimeter, diameter and Feret
# diameters, which are; that `roi.ellipse` has two axes of 40, or 80 and 40 of an ellipse lying or standing, went without saying.
# What it does: the disc has axes of 56.6 and 28.3, the lying ellipse 67.3 and 47.5, the same one standing 113.3 and 28.2, and
# of one that is 60 by 54 the "minor" axis is the longer. Area, centre, Feret diameters and the diameter of equal area beside
# it are right, and the product of the two lengths fits the area, so that nothing looks odd. Each round lymphocyte has the
# elongation of a sickle cell. The end points of the axes are others again: both axes of the disc are 56.6 there. By its
# documents it is the smallest ellipse that fits.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
cd "$box" && npm init -y >/dev/null && npm install --silent --no-audit --no-fund image-js@1.7.0 >/dev/null
cat > axes.mjs <<'E'
import { Mask, fromMask } from "image-js";
const cells = { disc: [20, 20], lying: [40, 20], standing: [20, 40], oval: [30, 27] }, found = {};
for (const [name, [a, b]] of Object.entries(cells)) {
  const mask = new Mask(120, 120);
  for (let y = 0; y < 120; y++) for (let x = 0; x < 120; x++)
    if (((x - 60) / a) ** 2 + ((y - 60) / b) ** 2 <= 1) mask.setBit(x, y, 1);
  const [roi] = fromMask(mask).getRois(), { majorAxis, minorAxis, surface } = roi.ellipse;
  const [one, two] = minorAxis.points, ends = Math.hypot(one.column - two.column, one.row - two.row);
  const numbers = { major: majorAxis.length, minor: minorAxis.length, ends, surface, feret: roi.feret.maxDiameter.length };
  found[name] = Object.fromEntries(Object.entries(numbers).map(([key, value]) => [key, Number(value.toFixed(1))]));
}
console.log("image-js 1.7.0:", JSON.stringify(found));
const { disc, lying, standing, oval } = found;
const same = disc.major === 56.6 && disc.minor === 28.3 && disc.ends === 56.6 &&
  disc.surface === 1257 && disc.feret === 41.4 && lying.major === 67.3 && lying.minor === 47.5 &&
  standing.major === 113.3 && standing.minor === 28.2 && oval.major < oval.minor;
if (!same) { console.error("changed"); process.exit(1); }
E
node axes.mjs
