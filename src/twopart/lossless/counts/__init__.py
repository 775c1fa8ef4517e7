"""A two-part code of counts: a pruned tree of contexts is sent first, then the data given the tree.

learn.py    from data to the tree that pays best, at a price of model bits in data bits
tree.py     the tree, as arrays
kernel.py   tree and data as codes, in whole numbers
bits.py     one decision, in or out
model.py    what others use: `CountModel`
"""
