-- The stack with Redis keeps its clients apart from the one without.
create database tokenwright_redis;
