"""The microservice chassis: what every process bolts to. No business noun in here."""
