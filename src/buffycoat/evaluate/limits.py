"""From when on a differential is flagged or refused; nothing heavy, for help texts."""

MOSTLY = 0.5
"""Over this share of doubtful cells, labels and figures rest more on cells that the model asks a
person to look at than on those that it does not."""
DOUBTFUL_SHARE = 0.2
"""Of the cells, from which a slide has the flag "doubtful"."""
THRESHOLD = 2.0
"""Percent of immature granulocytes; near the 1.95 that Lu et al. 2022 (doi
10.1007/s12308-022-00484-w) found for an analyser and one question. There is no agreed value."""
BLAST_THRESHOLD = 1.0
"""Percent. Ours: any true blast matters, and of 100 cells one is the least there can be."""
