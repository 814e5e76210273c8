"""The only code that knows FiftyOne and MongoDB: schema, views, sync both ways, mongod, the App."""
