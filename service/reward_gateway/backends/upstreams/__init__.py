"""Reward models that run on other servers: vLLM, SGLang, TEI, infinity, KServe, OpenRLHF's, or any over HTTP.

``config`` reads the file of upstreams, ``rows`` turns samples into what such a server is asked, ``protocols`` holds one
file per way of asking, ``replicas`` chooses among the copies of a server, ``identity`` finds out which weights answer,
and ``server`` puts them together behind the port that Triton has, too.
"""
