"""Context mixing over bytes, in whole numbers: the same code on every machine.

    each byte   contexts.py   what was seen before: the last k bytes, words, columns ...        -> a hash for each context
    half byte   slots.py      the hash table: a slot holds the 15 bit histories below a context
                matches.py    where the last bytes occurred before, and the byte that followed
    each bit    mixer.py      histories -> logits -> their weighted sum, under several choices of weights -> a probability
                refine.py     the probability corrected by what it has meant so far
                kernel.py     the loop: predict, code by ../intervals.py, learn; the same for encoding and decoding
    memory.py   the arrays that all of these work on, and the sizes that a kernel is compiled for
    method.py   levels, and the `Mixer` that a file is coded with

The construction is that of the PAQ family (Mahoney, Data Compression Explained, section 4.3); the code is written anew.
"""
