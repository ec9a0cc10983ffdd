"""Redis and Valkey servers by their addresses: one server, the master that Sentinels name, or a Cluster.

Everything that keeps something in Redis makes its client here (:mod:`.clients`). A client is bound to one hash tag
(``{state}``): all of its keys lie in one slot of a Cluster, so that scripts, transactions and subscriptions work there
as on one server.
"""
