"""The microservice chassis: what every process is built on. It knows nothing of the business."""
