"""Tools: what people use on their own data. Each turns it into a value, and the value into Findings for a report.

measure/  real text: Zipf, Heaps, its Pitman-Yor law, what a part of it says of the rest
fit/      training runs in a table: a scaling law with its doubts
plan/     what to train under a budget; which facts a model of a size will know
probe/    a language model: which facts it knows
explain/  a compressed file: where its bits go

Arrows: cli -> tools -> {fits, laws}; charts come from report.charts, as in studies. Each loads when it is imported.
"""
