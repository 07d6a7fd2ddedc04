"""The product's name, the prefix of cookies, tokens and names of stored data."""

NAME = "forum"
