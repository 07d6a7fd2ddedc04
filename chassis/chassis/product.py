"""The product's name, which cookies, tokens and the names of stored things begin with."""

NAME = "forum"
