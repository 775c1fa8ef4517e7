"""Neural codes of bytes: a transformer predicts, `constriction` codes.

method.py       what every method says in a file's header, and the prequential one; two_part.py  the one whose weights are sent.
                Importing them loads neither PyTorch nor constriction
lanes.py        a part of a file as lanes side by side
network.py      the transformer a byte at a time, its gradient a block at a time; buffers.py  what is kept between the two;
                _attention.py  the inner loop
learner.py      how it learns as it codes
coder.py        the loop that codes and decodes
training.py     training ahead of coding; weights.py  the trained weights as bytes
rows.py         rows of tokens, such as sentences, by a transformer whose weights are known
arithmetic.py   what a code's bits depend on, and the refusal where that differs
"""
