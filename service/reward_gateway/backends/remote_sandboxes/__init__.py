"""Sandboxes elsewhere, which run programs for the gateway: SandboxFusion's and Piston's HTTP interfaces.

The operator declares them; what a request says only chooses among them, so that no request makes the gateway call an
address of its own. Of a test only the input is sent: what a program should write stays here, where outputs are compared
as those of the gateway's own sandbox are. How well a program is kept from the machine it runs on is the other server's
matter. A failure of the server is never a verdict.
"""
