/** A list to begin with: bright things of the northern and the southern sky, of all forms that are understood. */
export const sample = `name, ra, dec
M13, 250.4226, 36.4602
M31, 00:42:44.3, +41:16:09
Crab, 83.6331, 22.0145
47 Tuc, 00h24m05.7s, -72d04m53s
`
