import nbhd

# Stands in for https://api.example.org, so that this runs anywhere; it says the key back, as careless services do.
service = nbhd.testkit.Script([{
    "expect": {"method": "GET", "path": "/v1/orders", "headers": {"authorization": "Bearer sk-example-0123456789"}},
    "reply": {"json": {"orders": [17], "debug": "key=sk-example-0123456789"}},
}])
origin = service.url.rstrip("/")

host = nbhd.Host("memory:")
key = nbhd.Credential.bearer(origin, nbhd.Secret("sk-example-0123456789"))  # at home: nbhd.Secret.env("EXAMPLE_KEY")

request = {"url": f"{origin}/v1/orders", "query": {"limit": 5}}  # plain data: an agent may write it
answer = host.secure_request(request, credentials=[key], loopback=True)
print(answer["status"], answer["json"])

try:
    host.secure_request({"url": "https://169.254.169.254/latest/meta-data/"}, hosts=["169.254.169.254"])
except nbhd.AddressDenied as error:
    print(error.code, error.outcome)
